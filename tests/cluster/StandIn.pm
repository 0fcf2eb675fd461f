# What the stand-ins of kubeadm, kubelet and kubectl share: documents, keys, and talk with the API server.
package StandIn;
use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(basename dirname);
use File::Path 'make_path';
use File::Temp;
use IO::Socket::SSL;
use MIME::Base64;
use YAML::XS;

our @EXPORT = qw(KUBERNETES DATA documents run read_file write_file write_kubeconfig request PORT);

use constant KUBERNETES => '/etc/kubernetes';
use constant DATA       => '/var/lib/etcd/member';
use constant PORT       => 6443;

# The fields of kubeadm's documents: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
my %FIELDS = (
    InitConfiguration => [
        qw(bootstrapTokens dryRun nodeRegistration localAPIEndpoint certificateKey skipPhases patches timeouts)],
    ClusterConfiguration => [
        qw(etcd networking kubernetesVersion controlPlaneEndpoint apiServer controllerManager scheduler dns proxy
            certificatesDir imageRepository featureGates clusterName encryptionAlgorithm certificateValidityPeriod
            caCertificateValidityPeriod)],
    JoinConfiguration => [
        qw(dryRun nodeRegistration caCertPath discovery controlPlane skipPhases patches timeouts)],
    nodeRegistration => [
        qw(name criSocket taints kubeletExtraArgs ignorePreflightErrors imagePullPolicy imagePullSerial)],
    timeouts => [
        qw(controlPlaneComponentHealthCheck kubeletHealthCheck kubernetesAPICall etcdAPICall tlsBootstrap discovery
            upgradeManifests)],
    bootstrapToken => [qw(token apiServerEndpoint caCertHashes unsafeSkipCAVerification)],
);

# documents FILE: a hash of its YAML documents by their kind. Dies of a field that kubeadm does not know.
sub documents {
    my ($file) = @_;
    my %documents = map { $_->{kind} => $_ } YAML::XS::Load(read_file($file));
    for my $kind (keys %documents) {
        my $document = $documents{$kind};
        next unless $FIELDS{$kind};
        die "$kind: apiVersion $document->{apiVersion} is not kubeadm.k8s.io/v1beta4\n"
            unless $document->{apiVersion} eq 'kubeadm.k8s.io/v1beta4';
        known_only($kind, $document, 'kind', 'apiVersion');
        known_only($_, $document->{$_}) for grep { $document->{$_} } qw(nodeRegistration timeouts);
    }
    if (my $discovery = ($documents{JoinConfiguration} // {})->{discovery}) {
        known_only('bootstrapToken', $discovery->{bootstrapToken});
    }
    return \%documents;
}

sub known_only {
    my ($what, $values, @more) = @_;
    my %known = map { $_ => 1 } @{ $FIELDS{$what} }, @more;
    for my $field (sort keys %$values) {
        die "strict decoding error: unknown field \"$field\" in $what\n" unless $known{$field};
    }
}

# run COMMAND...: dies unless it succeeds.
sub run {
    system(@_) == 0 or die "@_: exit " . ($? >> 8) . "\n";
}

sub read_file {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$file>;
}

sub write_file {
    my ($path, $content, $mode) = @_;
    make_path(dirname($path));
    my $unfinished = dirname($path) . '/.' . basename($path) . ".$$";
    open my $file, '>', $unfinished or die "$path: $!\n";
    chmod $mode // 0644, $unfinished;
    print $file $content;
    close $file or die "$path: $!\n";
    rename $unfinished, $path or die "$path: $!\n";
}

# write_kubeconfig PATH, SERVER, CERTIFICATE, KEY, AUTHORITY: the last three are files, AUTHORITY kubeadm's if it is not given.
sub write_kubeconfig {
    my ($path, $server, $certificate, $key, $authority) = @_;
    my %data = (authority => $authority // KUBERNETES . '/pki/ca.crt', certificate => $certificate, key => $key);
    $_ = encode_base64(read_file($_), '') for values %data;
    write_file($path, YAML::XS::Dump({
        apiVersion => 'v1',
        kind       => 'Config',
        clusters   => [{ name => 'c', cluster => { server => $server, 'certificate-authority-data' => $data{authority} } }],
        users      => [{ name => 'u', user => {
            'client-certificate-data' => $data{certificate}, 'client-key-data' => $data{key} } }],
    }), 0600);
}

# request METHOD, PATH, BODY, OPTIONS: what the API server answers; dies unless it is 200. OPTIONS: either `kubeconfig`, whose server
# `server` (HOST:PORT) may replace, or `server` with `authority` (a PEM file; without it nobody is verified) and `token`, or `basic` (USER:PASSWORD).
sub request {
    my ($method, $path, $body, %options) = @_;
    my %tls = (SSL_verify_mode => SSL_VERIFY_NONE);
    my @files;
    if (my $kubeconfig = $options{kubeconfig}) {
        my $config = YAML::XS::LoadFile($kubeconfig);
        my ($cluster, $user) = ($config->{clusters}[0]{cluster}, $config->{users}[0]{user});
        ($options{server}) = ($options{server} // $cluster->{server}) =~ m{^(?:https://)?(.*)$};
        my $pem = sub { my $file = File::Temp->new; print $file decode_base64($_[0]); $file->flush; push @files, $file; "$file" };
        $options{authority} = $pem->($cluster->{'certificate-authority-data'});
        $tls{SSL_cert_file} = $pem->($user->{'client-certificate-data'});
        $tls{SSL_key_file}  = $pem->($user->{'client-key-data'});
    }
    if ($options{authority}) {
        $tls{SSL_verify_mode}    = SSL_VERIFY_PEER;
        $tls{SSL_ca_file}        = $options{authority};
        $tls{SSL_verifycn_scheme} = 'http';
    }
    my $server = IO::Socket::SSL->new(PeerAddr => $options{server}, Timeout => 30, %tls)
        or die "couldn't reach the API server $options{server}: " . ($! || $SSL_ERROR) . "\n";
    my $authorization = $options{token} ? "Authorization: Bearer $options{token}\r\n" : '';
    $authorization = 'Authorization: Basic ' . encode_base64($options{basic}, '') . "\r\n" if $options{basic};
    print $server "$method $path HTTP/1.0\r\n${authorization}Content-Length: " . length($body) . "\r\n\r\n$body";
    my $answer = do { local $/; <$server> } // '';
    my ($head, $content) = split /\r\n\r\n/, $answer, 2;
    die "$method $path: no answer\n" unless $head;
    die "$method $path: " . ($head =~ s/\r\n.*//sr) . "\n" unless $head =~ m{^HTTP/1.0 200};
    return $content;
}

1;
